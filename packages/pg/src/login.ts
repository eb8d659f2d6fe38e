// The login to PostgreSQL without a driver, for code that takes a driver's place.
export { askToCancel, type Driver, logIn, type Opened } from './wire/login.js';
