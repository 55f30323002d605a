//! `wslens live --user NAME`: gives up root's rights.
//!
//! Opening an interface takes rights that no process should have while it reads packets from strangers. So, once the interface
//! is open, the process becomes another user, in all its threads and permanently. Before the first packet is read, it tries to
//! become root again, and goes on only if that fails.

use anyhow::{Context as _, Result, bail};
use nix::unistd::{self, Gid, Uid};

/// The user to become.
#[derive(Debug)]
pub(super) struct User {
    name: String,
    uid: Uid,
    gid: Gid,
}

impl User {
    /// Finds the user of that name.
    ///
    /// # Errors
    /// There is none, it has root's rights, or the process is not root and so cannot become another user.
    pub(super) fn find(name: &str) -> Result<Self> {
        let known = unistd::User::from_name(name).with_context(|| format!("--user {name}: cannot be looked up"))?;
        let Some(known) = known else { bail!("--user {name}: there is no such user") };
        if known.uid.is_root() || known.gid.as_raw() == 0 {
            bail!("--user {name}: has root's rights; name a user without them");
        }
        if !Uid::effective().is_root() {
            bail!("--user {name}: only root can become another user; without root's rights the option is not needed");
        }
        Ok(Self { name: known.name, uid: known.uid, gid: known.gid })
    }

    /// Becomes that user: first its primary group alone, then its user id; real, effective and saved ids each.
    ///
    /// # Errors
    /// When the system refuses, or would let the process become root again.
    pub(super) fn become_for_good(self) -> Result<()> {
        let Self { name, uid, gid } = &self;
        // In this order: a process that is not root cannot change its groups. Each call reaches all threads of the process.
        #[cfg(not(target_vendor = "apple"))]
        unistd::setgroups(&[*gid]).with_context(|| format!("--user {name}: other groups cannot be left"))?;
        unistd::setgid(*gid).with_context(|| format!("--user {name}: its group cannot be taken"))?;
        unistd::setuid(*uid).with_context(|| format!("--user {name}: the process cannot become it"))?;
        if !self.is_final() {
            bail!("--user {name}: the process could become root again; nothing is sniffed");
        }
        Ok(())
    }

    /// Whether the process is that user and cannot become root again, which is tried.
    fn is_final(&self) -> bool {
        let root = (Uid::from_raw(0), Gid::from_raw(0));
        let back = unistd::setuid(root.0).is_ok()
            || unistd::seteuid(root.0).is_ok()
            || unistd::setgid(root.1).is_ok()
            || unistd::setegid(root.1).is_ok();
        let is_it = (unistd::getuid(), unistd::geteuid(), unistd::getgid(), unistd::getegid())
            == (self.uid, self.uid, self.gid, self.gid);
        #[cfg(not(target_vendor = "apple"))]
        let is_it = is_it && unistd::getgroups().is_ok_and(|groups| groups == [self.gid]);
        is_it && !back
    }
}
