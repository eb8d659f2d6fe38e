import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { withRdsIam } from '@rds-iam/typeorm';
import { Column, Entity, PrimaryGeneratedColumn, type Repository } from 'typeorm';

@Entity()
class Article {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar', length: 100 })
  name!: string;
}

@Injectable()
class Articles {
  constructor(@InjectRepository(Article) private readonly repository: Repository<Article>) {}

  async add(name: string): Promise<string[]> {
    await this.repository.save({ name });
    return (await this.repository.find()).map((article) => article.name);
  }
}

const login = {
  host: '127.0.0.1',
  port: Number(process.env['PORT']),
  username: 'app',
  database: 'shop',
  entities: [Article],
  synchronize: true,
  iam: {
    region: 'eu-west-1',
    credentials: {
      accessKeyId: process.env['ACCESS_KEY_ID'] ?? '',
      secretAccessKey: process.env['SECRET_ACCESS_KEY'] ?? '',
    },
    ca: process.env['CA'] ?? '',
  },
};

@Module({
  imports: [
    TypeOrmModule.forRoot(
      process.env['ENGINE'] === 'mysql'
        ? withRdsIam({ type: 'mysql', ...login })
        : withRdsIam({ type: 'postgres', ...login }),
    ),
    TypeOrmModule.forFeature([Article]),
  ],
  providers: [Articles],
})
class ShopModule {}

// Without process.exit(): what a closed application left open would keep the process.
const app = await NestFactory.createApplicationContext(ShopModule, { logger: ['error', 'warn'] });
console.log(JSON.stringify(await app.get(Articles).add('lamp')));
await app.close();
