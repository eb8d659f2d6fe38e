create table "node-pg-migrate_fruit" (name varchar(20));
