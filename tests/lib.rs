//! Nothing: the tests are in `tests`, the compile-fail cases in `ui`.
