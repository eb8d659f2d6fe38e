import mysql from 'mysql2/promise';

const connection = await mysql.createConnection(process.env.DATABASE_URL);
await connection.query('create table node_fruit (name varchar(20))');
await connection.end();
