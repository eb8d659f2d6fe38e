-- migrate:up
create table dbmate_fruit (name varchar(20));

-- migrate:down
drop table dbmate_fruit;
