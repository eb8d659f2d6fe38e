exports.Fruit1700000000000 = class {
  name = 'Fruit1700000000000';
  up(runner) {
    return runner.query('create table typeorm_fruit (name varchar(20))');
  }
  down(runner) {
    return runner.query('drop table typeorm_fruit');
  }
};
