//! The election of committees.
//!
//! Source: go/consensus/tendermint/apps/scheduler/scheduler.go, `electCommittee`.

use std::collections::BTreeMap;

use oasis_consensus_types::{
    node::{Node, Roles, TeeHardware},
    registry::{Runtime, SchedulingConstraints},
    scheduler::{Committee, CommitteeKind, CommitteeNode, Role},
};
use oasis_primitives::{
    address::Address,
    drbg::{Hash, HmacDrbg},
    mathrand::MathRand,
    namespace::Namespace,
    sgx::Time,
    signature::PublicKey,
};

use super::{Election, state};
use crate::{
    context::Context,
    error::{Error, Result},
};

const RNG_CONTEXT_EXECUTOR: &[u8] = b"EkS-ABCI-Compute";
const RNG_CONTEXT_STORAGE: &[u8] = b"EkS-ABCI-Storage";
const RNG_CONTEXT_ROLE_WORKER: &[u8] = b"Worker";
const RNG_CONTEXT_ROLE_BACKUP_WORKER: &[u8] = b"Backup-Worker";

/// A generator of the numbers that elections draw.
pub(super) fn generator(entropy: &[u8], nonce: &[u8], context: &[u8]) -> Result<MathRand> {
    let source = HmacDrbg::new(Hash::Sha512, entropy, nonce, context).map_err(Error::fatal)?;
    MathRand::new(source).map_err(Error::fatal)
}

/// The order in which `count` eligible nodes are drawn.
///
/// Source: go/consensus/tendermint/apps/scheduler/scheduler.go, `GetPerm`.
pub fn permutation(entropy: &[u8], runtime_id: &Namespace, context: &[u8], count: usize) -> Result<Vec<usize>> {
    let count = u32::try_from(count).map_err(Error::fatal)?;
    generator(entropy, &runtime_id.0, context)?.perm(count).map_err(Error::fatal)
}

/// Elects a runtime's committee of a kind; one that can't be elected is removed.
pub(super) fn elect(ctx: &mut Context<'_>, election: &mut Election, runtime: &Runtime, nodes: &[Node], kind: CommitteeKind) -> Result<()> {
    if !runtime.is_compute() && kind != CommitteeKind::COMPUTE_EXECUTOR {
        return Ok(());
    }
    match draw(ctx, election, runtime, nodes, kind)? {
        Some(members) => {
            let committee = Committee {
                kind,
                members: members.into_iter().map(Into::into).collect::<Vec<_>>().into(),
                runtime_id: runtime.id,
                valid_for: election.epoch,
            };
            state::set_committee(ctx.store, &committee);
        }
        None => state::remove_committee(ctx.store, kind, &runtime.id),
    }
    Ok(())
}

/// The members of a committee; none where there are not enough nodes.
fn draw(
    ctx: &mut Context<'_>,
    election: &mut Election,
    runtime: &Runtime,
    nodes: &[Node],
    kind: CommitteeKind,
) -> Result<Option<Vec<CommitteeNode>>> {
    let (rng_context, sizes) = match kind {
        CommitteeKind::COMPUTE_EXECUTOR => (RNG_CONTEXT_EXECUTOR, (runtime.executor.group_size, runtime.executor.group_backup_size)),
        CommitteeKind::STORAGE => (RNG_CONTEXT_STORAGE, (runtime.storage.group_size, 0)),
        other => return Err(Error::fatal(format!("scheduler: invalid committee type: {other}"))),
    };
    if sizes.0 == 0 {
        return Ok(None);
    }
    let no_constraints = SchedulingConstraints::default();
    let of_role = |role| runtime.constraints.get(&kind).and_then(|c| c.get(&role)).unwrap_or(&no_constraints);
    let mut groups: Vec<Group<'_>> =
        [(Role::WORKER, sizes.0, RNG_CONTEXT_ROLE_WORKER), (Role::BACKUP_WORKER, sizes.1, RNG_CONTEXT_ROLE_BACKUP_WORKER)]
            .into_iter()
            .filter(|(_, size, _)| *size > 0)
            .map(|(role, size, context)| Group { role, size: usize::from(size), context, constraints: of_role(role), nodes: Vec::new() })
            .collect();

    for node in nodes {
        let entity = Address::of_public_key(&node.entity_id);
        if !election.covers_claims(ctx.store, &entity)? || !is_suitable(ctx, node, runtime, kind) {
            continue;
        }
        let mut eligible = false;
        for group in &mut groups {
            if group.constraints.validator_set.is_some() && !election.validator_entities.contains(&entity) {
                continue;
            }
            group.nodes.push(node);
            eligible = true;
        }
        if eligible {
            election.reward(&entity);
        }
    }

    let mut members = Vec::new();
    for group in &groups {
        match group.draw(&election.entropy, &runtime.id, rng_context)? {
            Some(elected) => members.extend(elected),
            None => return Ok(None),
        }
    }
    Ok(Some(members))
}

/// The candidates for a role.
struct Group<'a> {
    role: Role,
    /// Nodes wanted.
    size: usize,
    context: &'static [u8],
    constraints: &'a SchedulingConstraints,
    nodes: Vec<&'a Node>,
}

impl Group<'_> {
    fn draw(&self, entropy: &[u8], runtime_id: &Namespace, rng_context: &[u8]) -> Result<Option<Vec<CommitteeNode>>> {
        let least = self.constraints.min_pool_size.as_ref().map_or(0, |c| usize::from(c.limit));
        if self.nodes.len() < least || self.nodes.len() < self.size {
            return Ok(None);
        }
        let order = permutation(entropy, runtime_id, &[rng_context, self.context].concat(), self.nodes.len())?;
        let mut elected = Vec::new();
        let mut by_entity: BTreeMap<PublicKey, u16> = BTreeMap::new();
        for node in order.into_iter().filter_map(|i| self.nodes.get(i)) {
            if let Some(most) = &self.constraints.max_nodes {
                let count = by_entity.entry(node.entity_id).or_default();
                if *count >= most.limit {
                    continue;
                }
                *count = count.saturating_add(1);
            }
            elected.push(CommitteeNode { role: self.role, public_key: node.id });
            if elected.len() >= self.size {
                return Ok(Some(elected));
            }
        }
        Ok(None)
    }
}

fn is_suitable(ctx: &Context<'_>, node: &Node, runtime: &Runtime, kind: CommitteeKind) -> bool {
    if kind == CommitteeKind::STORAGE {
        return node.has_roles(Roles::STORAGE_WORKER) && node.runtime(&runtime.id).is_some();
    }
    node.has_roles(Roles::COMPUTE_WORKER) && is_suitable_executor(ctx, node, runtime)
}

/// Source: go/consensus/tendermint/apps/scheduler/scheduler.go, `isSuitableExecutorWorker`.
fn is_suitable_executor(ctx: &Context<'_>, node: &Node, runtime: &Runtime) -> bool {
    let Some(registered) = node.runtime(&runtime.id) else { return false };
    if registered.version.major != runtime.version.version.major {
        return false;
    }
    match (&registered.capabilities.tee, runtime.tee_hardware) {
        (tee, TeeHardware::INVALID) => tee.is_none(),
        (Some(tee), hardware) => {
            let now = Time { seconds: ctx.now().seconds, nanos: ctx.now().nanos };
            tee.hardware == hardware && tee.verify(now, runtime.version.tee.0.as_deref(), &ctx.env.options.sgx).is_ok()
        }
        (None, _) => false,
    }
}
