import { describeScenario } from '@rds-iam/conformance';
import { beforeEach, vi } from 'vitest';
import { SUBJECTS } from './subjects.js';

// Sequelize warns about each transaction whose connection was lost, and there are many here.
beforeEach(() => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
  return () => warn.mockRestore();
});

for (const subject of SUBJECTS) describeScenario(subject);
