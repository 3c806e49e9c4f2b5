//! Shapes of the standard library's types, as serde writes them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque};
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::{NonZero, Saturating, Wrapping};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use es_lock::{Name, Scalar, Shape, Tagging, Variant};

use super::EventData;

// A message about a type without a shape shall not list all that have one; of those with parts the
// message is about the part.

macro_rules! scalars {
    ($($ty:ty: $scalar:expr;)*) => {
        $(
            #[diagnostic::do_not_recommend]
            impl EventData for $ty {
                const SHAPE: Shape = Shape::Scalar($scalar);
            }
        )*
    };
}

scalars! {
    (): Scalar::Null;
    bool: Scalar::Bool;
    f32: Scalar::Float { bits: 32 };
    f64: Scalar::Float { bits: 64 };
    char: Scalar::Char;
    str: Scalar::Text;
    String: Scalar::Text;
    PathBuf: Scalar::Text;
    std::time::Duration: Scalar::Duration;
    IpAddr: Scalar::IpAddress;
    Ipv4Addr: Scalar::Ipv4Address;
    Ipv6Addr: Scalar::Ipv6Address;
    SocketAddr: Scalar::SocketAddress;
}

macro_rules! integers {
    ($($ty:ty: $signed:literal $bits:literal;)*) => {
        $(
            #[diagnostic::do_not_recommend]
            impl EventData for $ty {
                const SHAPE: Shape = Shape::Scalar(Scalar::integer($signed, $bits));
            }

            #[diagnostic::do_not_recommend]

            impl EventData for NonZero<$ty> {
                const SHAPE: Shape = Shape::Scalar(Scalar::nonzero($signed, $bits));
            }
        )*
    };
}

integers! {
    u8: false 8;
    u16: false 16;
    u32: false 32;
    u64: false 64;
    u128: false 128;
    i8: true 8;
    i16: true 16;
    i32: true 32;
    i64: true 64;
    i128: true 128;
    // What is stored must be read on every machine.
    usize: false 64;
    isize: true 64;
}

/// Types that are written like what they hold.
macro_rules! transparent {
    ($($ty:ty;)*) => {
        $(
            impl<T: EventData + ?Sized> EventData for $ty {
                const SHAPE: Shape = T::SHAPE;
            }
        )*
    };
}

transparent! {
    &T;
    Box<T>;
    Rc<T>;
    Arc<T>;
}

impl<T: EventData + ToOwned + ?Sized> EventData for Cow<'_, T> {
    const SHAPE: Shape = T::SHAPE;
}

impl<T: EventData> EventData for Wrapping<T> {
    const SHAPE: Shape = T::SHAPE;
}

impl<T: EventData> EventData for Saturating<T> {
    const SHAPE: Shape = T::SHAPE;
}

impl<T: ?Sized> EventData for PhantomData<T> {
    const SHAPE: Shape = Shape::NULL;
}

impl<T: EventData> EventData for Option<T> {
    const SHAPE: Shape = Shape::optional(const { &[T::SHAPE] });
}

impl<T: EventData, E: EventData> EventData for Result<T, E> {
    const SHAPE: Shape = Shape::choice(
        Tagging::External,
        const { &[Variant::new(Name::new("Err"), E::SHAPE), Variant::new(Name::new("Ok"), T::SHAPE)] },
    );
}

macro_rules! lists {
    ($($ty:ty: $shape:ident;)*) => {
        $(
            impl<T: EventData> EventData for $ty {
                const SHAPE: Shape = Shape::$shape(const { &[T::SHAPE] });
            }
        )*
    };
}

lists! {
    [T]: list;
    Vec<T>: list;
    VecDeque<T>: list;
    LinkedList<T>: list;
    BinaryHeap<T>: list;
    BTreeSet<T>: set;
}

impl<T: EventData, S> EventData for HashSet<T, S> {
    const SHAPE: Shape = Shape::set(const { &[T::SHAPE] });
}

impl<T: EventData, const N: usize> EventData for [T; N] {
    // Serde writes an array like a tuple.
    const SHAPE: Shape = Shape::array(N as u64, const { &[T::SHAPE] });
}

impl<K: EventData, V: EventData> EventData for BTreeMap<K, V> {
    const SHAPE: Shape = Shape::map(const { &[K::SHAPE, V::SHAPE] });
}

impl<K: EventData, V: EventData, S> EventData for HashMap<K, V, S> {
    const SHAPE: Shape = Shape::map(const { &[K::SHAPE, V::SHAPE] });
}

macro_rules! tuples {
    ($($($name:ident)+;)*) => {
        $(
            impl<$($name: EventData),+> EventData for ($($name,)+) {
                const SHAPE: Shape = Shape::tuple(const { &[$($name::SHAPE),+] });
            }
        )*
    };
}

tuples! {
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
}
