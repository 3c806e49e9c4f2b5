//! The registry: which aggregates and projections a program has.

use std::any::TypeId;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::aggregate::Aggregate;
use crate::event::EventType;
use crate::event_set::EventSet;
use crate::projection::effect::EffectHost;
use crate::projection::host::{AnyHost, HomeOf, Host, KeptInMemory, ProjectionType};
use crate::projection::state::Hosted;
use crate::projection::{EffectProjection, Projection};

/// The aggregates and projections of a program, checked as a whole: no two of a kind have one
/// stored name.
///
/// [`linked`](Self::linked) finds all that derives registered in the crates that are linked;
/// [`builder`](Self::builder) starts empty.
///
/// A crate that stands in `Cargo.toml` but is named nowhere in the program's code is not linked
/// and registers nothing. Write `use that_crate as _;`, and list the crates you count on with
/// [`RegistryBuilder::expect_package`].
///
/// ```
/// use es_core::Registry;
/// use es_core::prelude::*;
///
/// # #[derive(Event, Serialize, Deserialize)]
/// # #[event(name = "lamp.lit")]
/// # struct Lit;
/// # #[derive(Aggregate, Default)]
/// # #[aggregate(name = "lamp", id = u64, events(Lit))]
/// # struct Lamp {}
/// # impl Apply<Lit> for Lamp { fn apply(&mut self, _: &Lit) {} }
/// let registry = Registry::builder().aggregate::<Lamp>().build()?;
/// assert_eq!(registry.aggregates().collect::<Vec<_>>(), ["lamp"]);
/// # Ok::<(), es_core::RegistryError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Registry {
    aggregates: Vec<AggregateEntry>,
    projections: Vec<ProjectionEntry>,
}

impl Registry {
    /// A registry with nothing in it.
    pub fn builder() -> RegistryBuilder {
        RegistryBuilder::default()
    }

    /// A registry with everything that derives registered in the linked crates.
    pub fn linked() -> RegistryBuilder {
        let mut builder = RegistryBuilder::default();
        for registration in inventory::iter::<Registration> {
            builder.add(registration);
        }
        builder
    }

    /// The names that the linked aggregates do not need any more.
    pub(crate) fn linked_retired() -> Vec<&'static str> {
        let aggregates = inventory::iter::<Registration>.into_iter();
        let retired = aggregates.flat_map(|registration| match &registration.kind {
            Kind::Aggregate(entry) => entry.retired,
            Kind::Projection { .. } => &[],
        });
        retired.copied().collect()
    }

    /// The stored names of the aggregates, sorted.
    pub fn aggregates(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.aggregates.iter().map(|entry| entry.name)
    }

    /// The stored names of the aggregates that ask for snapshots, sorted.
    pub(crate) fn aggregates_with_snapshots(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.aggregates.iter().filter(|entry| entry.wants_snapshots).map(|entry| entry.name)
    }

    /// The stored names of the projections, sorted.
    pub fn projections(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.projections.iter().map(|entry| entry.projection.name)
    }

    /// A new, empty host for each projection.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = (TypeId, Arc<dyn Host>)> + '_ {
        self.projections.iter().map(|entry| ((entry.projection.type_id)(), (entry.make)().0))
    }
}

/// Collects what goes into a [`Registry`].
#[derive(Default, Debug)]
pub struct RegistryBuilder {
    aggregates: Vec<AggregateEntry>,
    projections: Vec<ProjectionEntry>,
    expected_packages: BTreeSet<&'static str>,
}

impl RegistryBuilder {
    /// Adds an aggregate. Adding it twice is the same as once.
    #[must_use]
    #[track_caller]
    pub fn aggregate<A: Aggregate>(mut self) -> Self {
        self.aggregates.push(AggregateEntry::of::<A>(Origin::caller()));
        self
    }

    /// Adds a projection; one in memory starts from its `Default`. Adding it twice is the same as
    /// once.
    #[must_use]
    #[track_caller]
    pub fn projection<P: Projection>(mut self) -> Self
    where
        P::Home: HomeOf<P>,
    {
        self.projections.push(ProjectionEntry {
            projection: ProjectionType::of::<P>(),
            make: Arc::new(P::Home::host),
            origin: Origin::caller(),
        });
        self
    }

    /// Adds a projection in memory that needs more than `Default` to start: `make` gives its empty state,
    /// and is asked again whenever the read model is built anew. It replaces what was added of the
    /// same type before, such as by a derive.
    #[must_use]
    #[track_caller]
    pub fn projection_with<P: KeptInMemory>(
        mut self,
        make: impl Fn() -> P + Send + Sync + 'static,
    ) -> Self {
        let make = Arc::new(make);
        self.projections.push(ProjectionEntry {
            projection: ProjectionType::of::<P>(),
            make: Arc::new(move || {
                let make = Arc::clone(&make);
                AnyHost(Arc::new(Hosted::new(move || make())))
            }),
            origin: Origin::caller(),
        });
        self
    }

    /// Adds side effects that need more than `Default`, such as a client of the service that they call.
    /// It replaces what was added of the same type before, such as by a derive.
    #[must_use]
    #[track_caller]
    pub fn effects_with<P: EffectProjection>(
        mut self,
        make: impl Fn() -> P + Send + Sync + 'static,
    ) -> Self {
        self.projections.push(ProjectionEntry {
            projection: ProjectionType::of::<P>(),
            make: Arc::new(move || AnyHost(Arc::new(EffectHost::new(make())))),
            origin: Origin::caller(),
        });
        self
    }

    /// Says that the package must have registered something, so that a crate which is not linked
    /// is noticed. Write the package's name as in its `Cargo.toml`.
    #[must_use]
    pub fn expect_package(mut self, package: &'static str) -> Self {
        self.expected_packages.insert(package);
        self
    }

    /// Checks everything and makes the registry.
    ///
    /// # Errors
    /// With all problems at once: two aggregates, two projections or two events with one stored
    /// name, today's or an alias, and expected packages that registered nothing.
    pub fn build(mut self) -> Result<Registry, RegistryError> {
        let mut problems = Vec::new();
        self.aggregates.sort_by_key(|entry| (entry.name, (entry.type_name)()));
        self.aggregates.dedup_by_key(|entry| (entry.type_id)());
        for pair in self.aggregates.windows(2) {
            if pair[0].name == pair[1].name {
                problems.push(duplicate("aggregate", pair[0].name, &pair[0], &pair[1]));
            }
        }
        self.projections
            .sort_by_key(|entry| (entry.projection.name, (entry.projection.type_name)()));
        // The last one counts: a constructor that is given by hand stands behind what derives
        // registered.
        self.projections.dedup_by(|later, kept| {
            let same = (later.projection.type_id)() == (kept.projection.type_id)();
            if same {
                std::mem::swap(later, kept);
            }
            same
        });
        for pair in self.projections.windows(2) {
            if pair[0].projection.name == pair[1].projection.name {
                problems.push(duplicate("projection", pair[0].projection.name, &pair[0], &pair[1]));
            }
        }
        let mut types_by_name = BTreeMap::<&str, EventType>::new();
        let names =
            self.events().flat_map(|event| event.own_names().map(move |name| (name, event)));
        for (name, event) in names {
            let known = types_by_name.entry(name).or_insert(*event);
            if known.type_id() != event.type_id() {
                let types = [known.type_name(), event.type_name()];
                let problem = if known.name() == event.name() {
                    RegistryProblem::DuplicateEvent { name, types }
                } else {
                    RegistryProblem::DuplicateAlias { name, types }
                };
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
            }
        }
        let linked: BTreeSet<_> = self.origins().filter_map(|origin| origin.package).collect();
        for &package in self.expected_packages.difference(&linked) {
            let linked = linked.iter().copied().collect();
            problems.push(RegistryProblem::SilentPackage { package, linked });
        }
        if problems.is_empty() {
            Ok(Registry { aggregates: self.aggregates, projections: self.projections })
        } else {
            Err(RegistryError { problems })
        }
    }

    fn add(&mut self, registration: &Registration) {
        match registration.kind {
            Kind::Aggregate(entry) => self.aggregates.push(entry),
            Kind::Projection { projection, make, origin } => {
                self.projections.push(ProjectionEntry { projection, make: Arc::new(make), origin });
            }
        }
    }

    fn events(&self) -> impl Iterator<Item = &'static EventType> + '_ {
        let of_aggregates = self.aggregates.iter().flat_map(|entry| entry.events);
        let of_projections = self.projections.iter().flat_map(|entry| entry.projection.events);
        of_aggregates.chain(of_projections)
    }

    fn origins(&self) -> impl Iterator<Item = Origin> + '_ {
        let of_aggregates = self.aggregates.iter().map(|entry| entry.origin);
        let of_projections = self.projections.iter().map(|entry| entry.origin);
        of_aggregates.chain(of_projections)
    }
}

/// Two of a kind: both print as `type (file:line)`.
fn duplicate(
    kind: &'static str,
    name: &'static str,
    first: &impl fmt::Display,
    second: &impl fmt::Display,
) -> RegistryProblem {
    RegistryProblem::DuplicateName { kind, name, types: [first.to_string(), second.to_string()] }
}

/// A program that can not start: everything that is wrong with its registry.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct RegistryError {
    problems: Vec<RegistryProblem>,
}

// A `main` that returns this error prints it so, and a program that does not start is where most
// people meet it: they shall read sentences.
impl fmt::Debug for RegistryError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl RegistryError {
    /// The problems: at least one.
    pub fn problems(&self) -> &[RegistryProblem] {
        &self.problems
    }
}

/// One thing that is wrong with a registry.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryProblem {
    /// Two aggregates or two projections have one stored name.
    #[error("{kind} name `{name}` is used twice: by {} and by {}; give one of them another name", types[0], types[1])]
    DuplicateName {
        /// `aggregate` or `projection`.
        kind: &'static str,
        /// The name.
        name: &'static str,
        /// Type and place of both.
        types: [String; 2],
    },
    /// Two event types have one stored name.
    #[error("event name `{name}` is used twice: by `{}` and by `{}`; give one of them another `#[event(name = ...)]`", types[0], types[1])]
    DuplicateEvent {
        /// The name.
        name: &'static str,
        /// Both types.
        types: [&'static str; 2],
    },
    /// A name under which one event was stored before is, or was, the name of another.
    #[error("event name `{name}` belongs to both `{}` and `{}`: a stored event can only be one of them; remove one `#[event(alias = ...)]`", types[0], types[1])]
    DuplicateAlias {
        /// The name.
        name: &'static str,
        /// Both types.
        types: [&'static str; 2],
    },
    /// A package that should have registered something did not.
    #[error("package `{package}` is expected but registered nothing (linked: {}); is it named anywhere? write `use {} as _;`", linked.join(", "), package.replace('-', "_"))]
    SilentPackage {
        /// The package.
        package: &'static str,
        /// Those that registered something.
        linked: Vec<&'static str>,
    },
}

/// What a derive submits for one aggregate or projection.
pub struct Registration {
    kind: Kind,
}

enum Kind {
    Aggregate(AggregateEntry),
    Projection { projection: ProjectionType, make: fn() -> AnyHost, origin: Origin },
}

inventory::collect!(Registration);

impl Registration {
    /// Registers an aggregate.
    pub const fn aggregate<A: Aggregate>(
        package: Option<&'static str>,
        location: &'static str,
    ) -> Self {
        let origin = Origin { package, file: location, line: None };
        Self { kind: Kind::Aggregate(AggregateEntry::of::<A>(origin)) }
    }

    /// Registers a projection that can be made without being asked how.
    pub const fn projection<P: Projection>(
        package: Option<&'static str>,
        location: &'static str,
    ) -> Self
    where
        P::Home: HomeOf<P>,
    {
        let origin = Origin { package, file: location, line: None };
        Self {
            kind: Kind::Projection {
                projection: ProjectionType::of::<P>(),
                make: <P::Home as HomeOf<P>>::host,
                origin,
            },
        }
    }
}

#[derive(Clone, Copy)]
struct AggregateEntry {
    name: &'static str,
    events: &'static [EventType],
    wants_snapshots: bool,
    retired: &'static [&'static str],
    type_id: fn() -> TypeId,
    type_name: fn() -> &'static str,
    origin: Origin,
}

impl AggregateEntry {
    const fn of<A: Aggregate>(origin: Origin) -> Self {
        Self {
            name: A::NAME,
            events: A::Event::EVENTS,
            wants_snapshots: A::SNAPSHOT.is_some(),
            retired: A::Event::RETIRED,
            type_id: TypeId::of::<A>,
            type_name: std::any::type_name::<A>,
            origin,
        }
    }
}

impl fmt::Display for AggregateEntry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` ({})", (self.type_name)(), self.origin)
    }
}

impl fmt::Debug for AggregateEntry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[derive(Clone)]
struct ProjectionEntry {
    projection: ProjectionType,
    make: Arc<dyn Fn() -> AnyHost + Send + Sync>,
    origin: Origin,
}

impl fmt::Display for ProjectionEntry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` ({})", (self.projection.type_name)(), self.origin)
    }
}

impl fmt::Debug for ProjectionEntry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Where something was registered.
#[derive(Clone, Copy)]
struct Origin {
    package: Option<&'static str>,
    /// For a derive the place with its line, as one literal.
    file: &'static str,
    line: Option<u32>,
}

impl Origin {
    #[track_caller]
    fn caller() -> Self {
        let caller = std::panic::Location::caller();
        Self { package: None, file: caller.file(), line: Some(caller.line()) }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "{}:{line}", self.file),
            None => formatter.write_str(self.file),
        }
    }
}
