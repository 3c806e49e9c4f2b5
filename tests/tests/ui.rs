//! Every mistake that the derives and the compiler's checks can find, with the message that a user
//! reads. To accept changed messages: `TRYBUILD=overwrite cargo test -p es-tests --test ui`.

#[test]
fn mistakes_are_explained() {
    trybuild::TestCases::new().compile_fail("ui/*/*.rs");
}
