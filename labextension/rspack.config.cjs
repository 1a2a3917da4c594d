// The builder numbers modules by a hash of their path on this machine. Numbered in their
// order instead, the same sources give the same bytes wherever they are built.
module.exports = { optimization: { moduleIds: 'natural', chunkIds: 'natural' } };
