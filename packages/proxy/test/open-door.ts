/** The part of a proxy's door that takes every client with the password, and notes nothing. */
export const OPEN_DOOR = {
  password: 'secret',
  tls: undefined,
  requiresTls: false,
  says: () => {},
  checkAsked: () => {},
  changeRefused: () => {},
  getToken: async () => '',
} as const;
