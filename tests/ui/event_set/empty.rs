use es_core::prelude::*;

#[derive(EventSet)]
enum AccountEvent {}

fn main() {}
