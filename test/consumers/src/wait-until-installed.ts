import { whenMade } from '@rds-iam/test-servers/background';
import { inject } from 'vitest';

await whenMade(inject('installed'));
