const { createHash } = require('node:crypto');
const { readFileSync } = require('node:fs');
const { DefinePlugin } = require('@rspack/core');

const digest = createHash('sha256').update(readFileSync(`${__dirname}/dist/views.js`)).digest('hex').slice(0, 12);

// The builder numbers modules by a hash of their path on this machine. Numbered in their
// order instead, the same sources give the same bytes wherever they are built.
module.exports = {
  optimization: { moduleIds: 'natural', chunkIds: 'natural' },
  plugins: [new DefinePlugin({ VIEWS_DIGEST: JSON.stringify(digest) })]
};
