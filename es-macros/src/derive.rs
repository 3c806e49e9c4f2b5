//! The four steps of every derive: read a model, check the rules, expand it, or fall back.

use proc_macro2::TokenStream;
use syn::DeriveInput;

use crate::ctxt::{Ctxt, Mistakes};
use crate::expand::fallback;
use crate::{expand, model, validate};

pub(crate) fn event(input: &DeriveInput) -> TokenStream {
    derive(input, model::Event::read, validate::event, expand::event, fallback::event)
}

pub(crate) fn event_data(input: &DeriveInput) -> TokenStream {
    derive(
        input,
        model::EventData::read,
        validate::event_data,
        expand::event_data,
        fallback::event_data,
    )
}

pub(crate) fn event_set(input: &DeriveInput) -> TokenStream {
    derive(
        input,
        model::OwnEventSet::read,
        validate::own_event_set,
        expand::own_event_set,
        fallback::own_event_set,
    )
}

pub(crate) fn aggregate(input: &DeriveInput) -> TokenStream {
    derive(
        input,
        model::Aggregate::read,
        validate::aggregate,
        expand::aggregate,
        fallback::aggregate,
    )
}

pub(crate) fn aggregate_id(input: &DeriveInput) -> TokenStream {
    derive(
        input,
        model::AggregateId::read,
        validate::aggregate_id,
        expand::aggregate_id,
        fallback::aggregate_id,
    )
}

pub(crate) fn command(input: &DeriveInput) -> TokenStream {
    derive(input, model::Command::read, validate::command, expand::command, fallback::command)
}

pub(crate) fn projection(input: &DeriveInput) -> TokenStream {
    derive(
        input,
        model::Projection::read,
        validate::projection,
        expand::projection,
        fallback::projection,
    )
}

fn derive<'a, Model>(
    input: &'a DeriveInput,
    read: fn(&Ctxt, &'a DeriveInput) -> Model,
    check: fn(&Ctxt, &Model),
    expand: fn(&Model) -> TokenStream,
    fall_back: fn(&Model, &TokenStream) -> TokenStream,
) -> TokenStream {
    let ctxt = Ctxt::new();
    let model = read(&ctxt, input);
    check(&ctxt, &model);
    match ctxt.finish() {
        Ok(()) => expand(&model),
        Err(Mistakes { mut calls, unknown_type }) => {
            calls.extend(fall_back(&model, &unknown_type));
            calls
        }
    }
}
