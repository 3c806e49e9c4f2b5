use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "", version = 0, codec = "Json", colour)]
struct Opened<'a> {
    #[event(tga)]
    owner: u64,
    #[event(version = 2)]
    note: &'a str,
}

fn main() {}
