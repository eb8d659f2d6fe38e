import pg from 'pg';

const client = new pg.Client();
await client.connect();
await client.query('create table node_fruit (name varchar(20))');
await client.end();
