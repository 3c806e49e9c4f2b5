use es_core::prelude::*;

struct Opened;

fn needs<T: EventSet>() {}

fn main() {
    needs::<Opened>();
}
