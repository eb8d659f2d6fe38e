module.exports = {
  up() {
    process.stdout.write('migrating\n');
    return new Promise((resolve) => setTimeout(resolve, 60_000));
  },
  down() {},
};
