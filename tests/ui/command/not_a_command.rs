use es_core::prelude::*;

struct Close;

fn needs<T: Command>() {}

fn main() {
    needs::<Close>();
}
