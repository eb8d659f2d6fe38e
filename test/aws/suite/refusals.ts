import { expect, test } from 'vitest';
import { onRds } from '../src/describe-on-rds.js';
import { logInPlainly } from '../src/reference.js';

// Retries and diagnoses are tested against the emulator's messages. Here, the plain driver shows RDS's own.
onRds('postgres', 'refusals of PostgreSQL', (named) => {
  test('PostgreSQL refuses a password that is not a token like the emulator does', async () => {
    await expect(logInPlainly('postgres', named, { password: 'no token' })).rejects.toMatchObject({
      code: '28000',
      message: `PAM authentication failed for user "${named.username}"`,
    });
  });

  test('PostgreSQL refuses a login without TLS like the emulator does', async () => {
    await expect(logInPlainly('postgres', named, { withoutTls: true })).rejects.toMatchObject({
      code: '28000',
      message: expect.stringMatching(
        new RegExp(`^no pg_hba\\.conf entry for host ".*", user "${named.username}", database ".*", no encryption$`),
      ),
    });
  });
});

onRds('mysql', 'refusals of MySQL', (named) => {
  test('MySQL refuses a password that is not a token like the emulator does', async () => {
    await expect(logInPlainly('mysql', named, { password: 'no token' })).rejects.toMatchObject({
      errno: 1045,
      sqlState: '28000',
      message: expect.stringMatching(
        new RegExp(`^Access denied for user '${named.username}'@'.*' \\(using password: YES\\)$`),
      ),
    });
  });
});
