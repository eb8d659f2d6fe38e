import { Duplex } from 'node:stream';
import { encodeGreeting, encodePacket, type Greeting, PacketAssembler } from '@rds-iam/wire/mysql';

/**
 * Opens a connection of the driver's over a stream, of which `failed` is told the driver's own error. It is dropped when it
 * has said what it would answer, so it must have no timer.
 */
export type Speak = (over: Duplex, failed: (error: unknown) => void) => void;

/** How a driver has answered greetings so far, by what it makes of them: always the same, as no password is in it. */
export type Answers = Map<string, Buffer>;

/** More than any answer to a greeting has. */
const MAX_BYTES = 131_072;

/** How this driver, in this version and with these options, answers a greeting, and what error it makes of a refusal. */
export class Interpreter {
  readonly #speak: Speak;
  readonly #answers: Answers;

  /** @param answers - is filled: to ask the driver for each login would cost a pool a tenth of its connections per second */
  constructor(speak: Speak, answers: Answers) {
    this.#speak = speak;
    this.#answers = answers;
  }

  /** The payload of its response. */
  async answerTo(greeting: Greeting): Promise<Buffer> {
    const { serverVersion, capabilities, mariadbCapabilities, characterSet, status } = greeting;
    const kind = [serverVersion, capabilities, mariadbCapabilities, characterSet, status].join();
    const known = this.#answers.get(kind);
    if (known) return known;
    const answer = await new Conversation(this.#speak).answerTo(greeting);
    this.#answers.set(kind, answer);
    return answer;
  }

  /** @param refusal - the payload of an ERR packet, at first or after the answer to a greeting */
  async errorOf(refusal: Buffer, greeting: Greeting | undefined): Promise<unknown> {
    const conversation = new Conversation(this.#speak);
    if (greeting) await conversation.answerTo(greeting);
    return conversation.errorOf(encodePacket(greeting ? 2 : 0, refusal));
  }
}

/** A connection of the driver's own that never reaches a server. */
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

/** A stream with those methods of a socket that drivers call without asking whether there is one. */
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
