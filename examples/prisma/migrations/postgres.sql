CREATE TABLE product (
  id serial PRIMARY KEY,
  name varchar(100) NOT NULL UNIQUE,
  stock integer NOT NULL
);

CREATE TABLE order_line (
  id serial PRIMARY KEY,
  quantity integer NOT NULL,
  product_id integer NOT NULL REFERENCES product (id)
);
