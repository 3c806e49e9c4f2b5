//! All errors of one derive, so that a user sees every mistake in one compile.

use std::cell::RefCell;
use std::fmt::Display;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

/// Collects errors. It must be asked for them with [`finish`](Self::finish): a forgotten error
/// would accept a wrong program, so dropping an unfinished one panics.
#[derive(Default)]
pub(crate) struct Ctxt {
    errors: RefCell<Vec<syn::Error>>,
    finished: bool,
}

impl Ctxt {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Records an error under `tokens`, the smallest part of the input that must change.
    pub(crate) fn error(&self, tokens: impl ToTokens, message: impl Display) {
        self.record(syn::Error::new_spanned(tokens, message));
    }

    /// Records an error that is complete already.
    pub(crate) fn record(&self, error: syn::Error) {
        self.errors.borrow_mut().push(error);
    }

    /// Whether a mistake was found already: what only follows from it need not be said too.
    pub(crate) fn has_errors(&self) -> bool {
        !self.errors.borrow().is_empty()
    }

    /// The recorded errors, if there are any.
    pub(crate) fn finish(mut self) -> Result<(), Mistakes> {
        self.finished = true;
        let errors = self.errors.take();
        match errors.first() {
            None => Ok(()),
            Some(first) => {
                let first = first.to_compile_error();
                Err(Mistakes {
                    calls: errors.iter().map(syn::Error::to_compile_error).collect(),
                    unknown_type: quote!([(); #first]),
                })
            }
        }
    }
}

/// What a derive says instead of an expansion.
#[derive(Debug)]
pub(crate) struct Mistakes {
    /// A `compile_error!` for each.
    pub(crate) calls: TokenStream,
    /// A type that stands for one that nobody knows: an array as long as the first error, which the
    /// compiler prints once although it stands at two places. Of whatever has to do with a type that is
    /// an error the compiler says nothing.
    pub(crate) unknown_type: TokenStream,
}

impl Drop for Ctxt {
    fn drop(&mut self) {
        assert!(
            self.finished || std::thread::panicking(),
            "the errors of a derive were collected but never looked at"
        );
    }
}
