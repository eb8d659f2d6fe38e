// The login to PostgreSQL that needs no driver, for one who stands where a driver stands.
export { askToCancel, type Driver, logIn, type Opened } from './wire/login.js';
