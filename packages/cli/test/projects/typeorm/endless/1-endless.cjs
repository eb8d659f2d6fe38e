exports.Endless1700000000001 = class {
  name = 'Endless1700000000001';
  up() {
    process.stdout.write('migrating\n');
    return new Promise((resolve) => setTimeout(resolve, 60_000));
  }
  down() {}
};
