module.exports = {
  up: (queryInterface, { STRING }) => queryInterface.createTable('sequelize_fruit', { name: STRING }),
  down: (queryInterface) => queryInterface.dropTable('sequelize_fruit'),
};
