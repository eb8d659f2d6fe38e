import { inject } from 'vitest';
import { whenMade } from './background.js';

await whenMade(inject('built'));
