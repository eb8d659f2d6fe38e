import { EntitySchema, type MigrationInterface, type QueryRunner, Table } from 'typeorm';

export interface Product {
  id: number;
  name: string;
  stock: number;
}

export interface Order {
  id: number;
  quantity: number;
  product: Product;
}

export const Products = new EntitySchema<Product>({
  name: 'product',
  columns: {
    id: { type: Number, primary: true, generated: true },
    name: { type: String, unique: true },
    stock: { type: Number },
  },
});

export const Orders = new EntitySchema<Order>({
  name: 'order',
  tableName: 'orders',
  columns: {
    id: { type: Number, primary: true, generated: true },
    quantity: { type: Number },
  },
  relations: {
    product: { type: 'many-to-one', target: 'product', nullable: false, joinColumn: { name: 'product_id' } },
  },
});

export class CreateShop1700000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    const id = {
      name: 'id',
      type: 'int',
      isPrimary: true,
      isGenerated: true,
      generationStrategy: 'increment',
    } as const;
    await runner.createTable(
      new Table({
        name: 'product',
        columns: [
          id,
          { name: 'name', type: 'varchar', length: '100', isUnique: true },
          { name: 'stock', type: 'int', default: 0 },
        ],
      }),
    );
    await runner.createTable(
      new Table({
        name: 'orders',
        columns: [id, { name: 'quantity', type: 'int' }, { name: 'product_id', type: 'int' }],
        foreignKeys: [{ columnNames: ['product_id'], referencedTableName: 'product', referencedColumnNames: ['id'] }],
      }),
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('orders');
    await runner.dropTable('product');
  }
}
