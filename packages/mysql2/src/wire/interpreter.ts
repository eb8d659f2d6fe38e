import { Duplex } from 'node:stream';
import { encodeGreeting, encodePacket, type Greeting, PacketAssembler } from '@rds-iam/wire/mysql';

/**
 * Opens one of the driver's connections over a stream and passes the driver's own error to `failed`. It is dropped once it has
 * shown what it would answer, so it must not have a timer.
 */
export type Speak = (over: Duplex, failed: (error: unknown) => void) => void;

/** A driver's answers to greetings so far, by what they depend on. They contain no password, so they can be reused. */
export type Answers = Map<string, Buffer>;

/** More than any answer to a greeting needs. */
const MAX_BYTES = 131_072;

/** Finds out how this driver, with its version and options, answers a greeting, and which error it makes of a refusal. */
export class Interpreter {
  readonly #speak: Speak;
  readonly #answers: Answers;

  /** @param answers - a cache to fill: asking the driver at each login would cost a pool a tenth of its connections per second */
  constructor(speak: Speak, answers: Answers) {
    this.#speak = speak;
    this.#answers = answers;
  }

  /** The payload of the driver's response. */
  async answerTo(greeting: Greeting): Promise<Buffer> {
    const { serverVersion, capabilities, mariadbCapabilities, characterSet, status } = greeting;
    const kind = [serverVersion, capabilities, mariadbCapabilities, characterSet, status].join();
    const known = this.#answers.get(kind);
    if (known) return known;
    const answer = await new Conversation(this.#speak).answerTo(greeting);
    this.#answers.set(kind, answer);
    return answer;
  }

  /** @param refusal - the payload of an ERR packet, sent first or after the answer to a greeting */
  async errorOf(refusal: Buffer, greeting: Greeting | undefined): Promise<unknown> {
    const conversation = new Conversation(this.#speak);
    if (greeting) await conversation.answerTo(greeting);
    return conversation.errorOf(encodePacket(greeting ? 2 : 0, refusal));
  }
}

/** One of the driver's connections, which never reaches a server. */
class Conversation {
  readonly #answer: Promise<Buffer>;
  readonly #failure: Promise<unknown>;
  readonly #over: Duplex;

  constructor(speak: Speak) {
    const assembler = new PacketAssembler(MAX_BYTES);
    let answered: (payload: Buffer) => void = ignore;
    this.#answer = new Promise((resolve) => {
      answered = resolve;
    });
    this.#over = new NowhereSocket({
      read: ignore,
      write(chunk: Buffer, _encoding, done) {
        assembler.add(chunk);
        const packet = assembler.take();
        if (packet) answered(Buffer.from(packet.payload));
        done();
      },
    });
    this.#failure = new Promise((resolve) => speak(this.#over, resolve));
  }

  answerTo(greeting: Greeting): Promise<Buffer> {
    this.#over.push(encodePacket(0, encodeGreeting(greeting)));
    return Promise.race([
      this.#answer,
      this.#failure.then((error) => {
        throw error;
      }),
    ]);
  }

  errorOf(refusal: Buffer): Promise<unknown> {
    this.#over.push(refusal);
    return this.#failure;
  }
}

/** A stream with the socket methods that drivers call without checking that they exist. */
class NowhereSocket extends Duplex {
  setKeepAlive(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setTimeout(): this {
    return this;
  }

  address(): object {
    return {};
  }
}

function ignore(): void {}
