//! stub
use proc_macro::TokenStream;
#[proc_macro_derive(Event, attributes(event))]
pub fn event(_: TokenStream) -> TokenStream {
    TokenStream::new()
}
#[proc_macro_derive(EventSet, attributes(event_set))]
pub fn event_set(_: TokenStream) -> TokenStream {
    TokenStream::new()
}
#[proc_macro_derive(Aggregate, attributes(aggregate))]
pub fn aggregate(_: TokenStream) -> TokenStream {
    TokenStream::new()
}
#[proc_macro_derive(AggregateId, attributes(aggregate_id))]
pub fn aggregate_id(_: TokenStream) -> TokenStream {
    TokenStream::new()
}
#[proc_macro_derive(Command, attributes(command))]
pub fn command(_: TokenStream) -> TokenStream {
    TokenStream::new()
}
#[proc_macro_derive(Projection, attributes(projection))]
pub fn projection(_: TokenStream) -> TokenStream {
    TokenStream::new()
}
