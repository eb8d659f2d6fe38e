import type { RdsIam } from '@rds-iam/core';
import type { BenchDatabase } from '../databases.js';

/** A framework to measure, with and without our package. */
export interface Framework {
  readonly name: string;
  withIam(to: BenchDatabase, iam: RdsIam): Promise<Contender>;
  withPassword(to: BenchDatabase, login: { readonly password: string; readonly ca: string }): Promise<Contender>;
}

export interface Contender {
  /** Opens a physical connection through the framework, and closes it. */
  openAndClose(): Promise<void>;
  /** `select 1`, in the framework's own way. */
  query(): Promise<unknown>;
  end(): Promise<unknown>;
}
