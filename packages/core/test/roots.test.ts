import { describe, expect, test } from 'vitest';
import { rdsRoots, unexpired } from '../src/roots.js';

describe('the RDS roots', () => {
  test('are many, none of them expired, and include the Amazon roots of RDS Proxy', async () => {
    const roots = await rdsRoots(Date.now());
    expect(roots.length).toBeGreaterThan(60);
    expect(unexpired(roots, Date.now())).toHaveLength(roots.length);
    expect(roots.length).toBeLessThan((await rdsRoots(0)).length);
    const subjects = await Promise.all(
      roots.map(async (root) => new (await import('node:crypto')).X509Certificate(root).subject),
    );
    expect(subjects.join('\n')).toContain('Amazon Root CA 1');
    expect(subjects.join('\n')).toContain('Amazon RDS eu-west-1 Root CA');
  });
});
