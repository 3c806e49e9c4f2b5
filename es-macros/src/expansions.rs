//! What the derives generate, kept as snapshots: a change of the generated code is read in review.

use proc_macro2::TokenStream;
use syn::DeriveInput;

use crate::derive;

/// The input and under it what the derive makes of it, formatted.
fn expanded(derive: fn(&DeriveInput) -> TokenStream, input: &str) -> String {
    let input = input.trim();
    let output = derive(&syn::parse_str(input).unwrap());
    let output = prettyplease::unparse(&syn::parse2(output).unwrap());
    format!("{input}\n\n// generates\n\n{output}")
}

macro_rules! snapshots {
    ($($(#[$doc:meta])* $test:ident: $derive:path = $input:literal;)*) => {
        $(
            $(#[$doc])*
            #[test]
            fn $test() {
                let settings = {
                    let mut settings = insta::Settings::clone_current();
                    settings.set_omit_expression(true);
                    settings.set_prepend_module_to_snapshot(false);
                    settings
                };
                settings.bind(|| {
                    insta::assert_snapshot!(stringify!($test), expanded($derive, $input));
                });
            }
        )*
    };
}

snapshots! {
    event: derive::event = r#"
#[event(name = "account.deposited", version = 3, oldest = 3)]
pub struct Deposited {
    #[event(tag)]
    owner: String,
    #[event(tag = "by")]
    referrer: Option<UserId>,
    amount: u64,
}"#;

    event_without_options: derive::event = r#"
#[event(name = "lamp.lit")]
struct Lit;"#;

    event_of_a_newtype_with_a_codec_and_a_crate: derive::event = r#"
#[event(name = "order.type", codec = Postcard, crate = ::framework::core)]
struct r#type(#[event(tag = "type")] u8);"#;

    event_with_type_parameters: derive::event = r#"
#[event(name = "priced")]
struct Priced<C: Currency, const N: usize> {
    amounts: [Amount<C>; N],
}"#;

    event_with_steps: derive::event = r#"
#[event(name = "account.deposited", version = 5, alias = "account.paid_in", write_version = 3)]
#[upcast(from = 1, rename("amt" => "amount"), add("lines[].unit" = "piece", at = recorded_at))]
#[upcast(from = 4, remove(note = ""))]
#[upcast(from = 3, with = whole_cents, inverse = decimal)]
#[upcast(from = 2, split(into(Deposited, billing::FeeCharged), with = fee_apart))]
pub struct Deposited {
    amount: u64,
}"#;

    event_with_structs_of_old: derive::event = r#"
#[event(name = "limit.set", version = 3, split_from(Opened, billing::Agreed))]
#[upcast(from = 1, via = LimitSetV1, codec = Postcard)]
#[upcast(from = 2, via = old::LimitSet)]
struct LimitSet(u64);"#;

    event_data: derive::event_data = r#"
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Purpose {
    LoanPayment { loan: LoanId, parts: Vec<Purpose> },
    #[serde(alias = "wages")]
    Salary(#[event_data(like = String)] Money),
    Rent,
}"#;

    /// What the lock holds is compared, and what it does not hold yet must say its shape.
    event_with_a_lock: derive::event = r#"
#[event(name = "account.deposited", version = 2, lock = "src/snapshots/released.lock")]
#[upcast(from = 1, rename("amt" => "amount"))]
pub struct Deposited {
    amount: Money,
    branch: u32,
    #[serde(default)]
    by: TellerId,
    #[event(opaque)]
    rate: Decimal,
}"#;

    event_set: derive::event_set = r#"
#[event_set(retired("lamp.bought"))]
enum LampEvent {
    Lit(Lit),
    Quenched(lamp::Quenched),
}"#;

    aggregate: derive::aggregate = r#"
#[aggregate(
    name = "account",
    id = AccountId,
    events(Opened, billing::Paid as BillingPaid, Priced<Eur>),
    derive(Debug, Clone),
)]
pub struct Account {
    balance: u64,
}"#;

    aggregate_with_an_own_enum: derive::aggregate = r#"
#[aggregate(name = "lamp", id = u64, events = LampEvent, register = false)]
enum Lamp {
    Dark,
    Lit,
}"#;

    aggregate_id: derive::aggregate_id = "pub struct AccountId(u64);";

    projection_in_documents: derive::projection = r#"
#[projection(
    name = "balances",
    events(Deposited),
    documents(key = Balance::account, remove_when = Balance::is_empty)
)]
struct Balance {
    amount: u64,
}"#;

    projection_in_rows: derive::projection = r#"
#[projection(name = "movements", version = 2, events(Deposited), rows = es_sqlite_store::Sqlite)]
struct Movements;"#;

    projection_in_partitions: derive::projection = r#"
#[projection(
    name = "movements",
    events(Deposited),
    rows = es_sqlite_store::Sqlite,
    partitions = 8,
    partition = account
)]
struct Movements;"#;

    projection_inline: derive::projection = r#"
#[projection(name = "balances", events(Deposited), documents, inline)]
struct Balance {
    amount: u64,
}"#;

    side_effects: derive::projection = r#"
#[projection(name = "mail", events(Opened), effects)]
struct Mail;"#;

    command: derive::command = r#"
#[command(aggregate = Account, creates)]
pub struct Open {
    #[command(id)]
    account: AccountId,
    owner: String,
}"#;

    command_with_type_parameters: derive::command = r#"
#[command(aggregate = Account, name = "import")]
struct Import<S>(#[command(id)] AccountId, S);"#;

    projection: derive::projection = r#"
#[projection(name = "balances", version = 2, events(Opened, Deposited), enum = BalanceFact)]
pub(crate) struct Balances {
    by_account: BTreeMap<AccountId, u64>,
}"#;

    /// What its streams may hold is compared with what it lists.
    aggregate_with_a_lock: derive::aggregate = r#"
#[aggregate(name = "account", id = u64, events(Deposited), lock = "src/snapshots/released.lock")]
struct Account {
    balance: u64,
}"#;

    /// All of them are reported, and the rest of the crate finds an aggregate.
    aggregate_with_mistakes: derive::aggregate = r#"
#[aggregate(nam = "account", events(Opened, "Deposited", billing::Opened), derive)]
pub struct Account {
    balance: u64,
}"#;
}
