// The order in which test files run: project by project as configured, so that a worker goes on with what it has loaded, and
// in each the slowest first, so that no worker is left alone with one of them at the end.
import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The files that take longest, in the order of their time. */
const SLOWEST = [
  /\/soak\./,
  /against-the-emulator/,
  /\/conformance\./,
  /\/scenario\./,
  /\/guides\./,
  /\/throttling\./,
  /redis\/test\/(?:cluster|cluster-storm|.*-faults)\./,
  /\/(?:emulate-embedded|exec-proxy|migrations|one-driver|typescript)\./,
  /\/examples\//,
  /\/(?:faults|handshakes|connections|login|who-may-enter)\./,
];

export class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const { projects, config } = this.ctx;
    const places = files.map((file) => {
      const path = relative(config.root, file.moduleId);
      const found = SLOWEST.findIndex((pattern) => pattern.test(path));
      return { file, project: projects.indexOf(file.project), rank: found === -1 ? SLOWEST.length : found, path };
    });
    places.sort((a, b) => a.project - b.project || a.rank - b.rank || (a.path < b.path ? -1 : 1));
    return places.map(({ file }) => file);
  }
}
