//! The path of `es_core` in generated code.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::Path;

use crate::ctxt::Ctxt;
use crate::written::written;

/// `::es_core`, or what `crate = ..` says: for a crate that re-exports it or calls it otherwise.
#[derive(Clone)]
pub(crate) struct CratePath(Option<Path>);

impl CratePath {
    /// The path that the option gave. A derive may stand in any module, and its output with it, so
    /// only a path that means the same everywhere will do.
    pub(crate) fn new(ctxt: &Ctxt, given: Option<&Path>) -> Self {
        let Some(path) = given else { return Self(None) };
        let absolute = path.leading_colon.is_some()
            || path
                .segments
                .first()
                .is_some_and(|first| first.ident == "crate" || first.ident == "$crate");
        if absolute {
            return Self(Some(path.clone()));
        }
        let written = written(path);
        ctxt.error(
            path,
            format_args!(
                "`crate = {written}` is a relative path: it would mean something else in every module\nhelp: write `crate = ::{written}` or `crate = crate::{written}`"
            ),
        );
        Self(None)
    }

    /// The path at another place: errors in what follows it are reported there.
    pub(crate) fn at(&self, span: Span) -> TokenStream {
        let Some(path) = &self.0 else {
            let es_core = Ident::new("es_core", span);
            return quote::quote_spanned!(span=> ::#es_core);
        };
        let mut path = path.clone();
        for segment in &mut path.segments {
            // Only `$crate` means something by where it was written.
            if segment.ident != "$crate" {
                segment.ident.set_span(span);
            }
        }
        path.into_token_stream()
    }
}

impl ToTokens for CratePath {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match &self.0 {
            Some(path) => path.to_tokens(tokens),
            None => tokens.extend(quote!(::es_core)),
        }
    }
}
