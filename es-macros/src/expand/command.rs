//! `impl Command`

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Member, WherePredicate, parse_quote};

use super::arguments::arguments;
use super::stored;
use crate::model::Command;

/// ```text
/// impl Command for Withdraw {
///     type Aggregate = Account;
///     const NAME: &str = "Withdraw";
///     fn aggregate_id(&self) -> &AccountId { id_of::<Account, AccountId>(&self.account) }
///     fn fingerprint(&self, f: &mut CommandFingerprint) { (&Field(&self.amount)).add_to(f, "amount"); }
/// }
/// ```
pub(crate) fn command(command: &Command<'_>) -> TokenStream {
    let (Some(aggregate), Some(id)) = (command.aggregate.value(), command.ids.first()) else {
        return TokenStream::new();
    };
    // All of it at one place, so that `self` is the same there and here.
    let span = aggregate.span();
    let es_core = command.crate_path.at(span);
    let (member, ty) = (&id.member, &id.field.ty);
    implementation(
        command,
        aggregate,
        &quote_spanned!(span=> #es_core::__private::id_of::<#aggregate, #ty>(&self.#member)),
        fingerprint(command),
    )
}

fn fingerprint(command: &Command<'_>) -> Option<TokenStream> {
    if command.telling.is_empty() {
        return None;
    }
    let es_core = &command.crate_path;
    let fields = command.telling.iter().map(|member| {
        let name = match member {
            Member::Named(ident) => ident.unraw().to_string(),
            Member::Unnamed(index) => index.index.to_string(),
        };
        quote! {
            (&#es_core::__private::fingerprint::Field(&self.#member)).add_to(__fingerprint, #name);
        }
    });
    Some(quote! {
        fn fingerprint(&self, __fingerprint: &mut #es_core::CommandFingerprint) {
            use #es_core::__private::fingerprint::{Opaque as _, Written as _};
            #(#fields)*
        }
    })
}

/// `id` is the body of `aggregate_id`.
pub(super) fn implementation(
    command: &Command<'_>,
    aggregate: &dyn ToTokens,
    id: &TokenStream,
    fingerprint: Option<TokenStream>,
) -> TokenStream {
    let (es_core, ident) = (&command.crate_path, &command.input.ident);
    let name = stored::name(&command.name, command.input);
    let creates = command.creates.then(|| {
        quote!(
            const CREATES: ::core::primitive::bool = true;
        )
    });
    let mut generics = command.input.generics.clone();
    let arguments = arguments(&generics);
    if !generics.params.is_empty() {
        let sendable: WherePredicate =
            parse_quote!(#ident #arguments: ::core::marker::Send + ::core::marker::Sync + 'static);
        generics.make_where_clause().predicates.push(sendable);
    }
    let (parameters, _, conditions) = generics.split_for_impl();
    let span = aggregate.span();
    let at_aggregate = es_core.at(span);
    // A type that is no aggregate is reported where it is named.
    let method = quote_spanned! {span=>
        fn aggregate_id(&self) -> &<#aggregate as #at_aggregate::Aggregate>::Id {
            #id
        }
    };
    quote! {
        #[automatically_derived]
        #[allow(deprecated, unused_qualifications, clippy::needless_borrow)]
        impl #parameters #es_core::Command for #ident #arguments #conditions {
            type Aggregate = #aggregate;
            const NAME: &'static ::core::primitive::str = #name;
            #creates
            #method
            #fingerprint
        }
    }
}
