import type { Options } from 'sequelize';

declare const options: Options;
export default options;
