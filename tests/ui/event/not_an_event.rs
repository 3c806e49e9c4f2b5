use es_core::prelude::*;

struct Opened;

fn needs<T: Event>() {}

fn main() {
    needs::<Opened>();
}
