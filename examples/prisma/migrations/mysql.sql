CREATE TABLE product (
  id integer NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name varchar(100) NOT NULL UNIQUE,
  stock integer NOT NULL
);

CREATE TABLE order_line (
  id integer NOT NULL AUTO_INCREMENT PRIMARY KEY,
  quantity integer NOT NULL,
  product_id integer NOT NULL,
  FOREIGN KEY (product_id) REFERENCES product (id)
);
