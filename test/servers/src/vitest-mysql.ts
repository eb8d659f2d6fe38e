import { share } from './vitest-share.js';

export default share('mysql', ({ hostname, port, username, password }) => ({
  hostname,
  port,
  superuser: { user: username, password },
}));
