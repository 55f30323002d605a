//! Root's rights, given up: `wslens live --user NAME`.
//!
//! To open an interface takes rights that nobody should have who reads what strangers send. So, once it is open, the process
//! becomes another user, in all its threads and for good; that it cannot go back is tried before the first packet is read.

use anyhow::{Context as _, Result, bail};
use nix::unistd::{self, Gid, Uid};

/// Whom to become.
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
    /// There is none, it is root, or we are not root and could not become it.
    pub(super) fn find(name: &str) -> Result<Self> {
        let known = unistd::User::from_name(name).with_context(|| format!("--user {name}: cannot be looked up"))?;
        let Some(known) = known else { bail!("--user {name}: there is no such user") };
        if known.uid.is_root() || known.gid.as_raw() == 0 {
            bail!("--user {name}: has root's rights; name a user that has not");
        }
        if !Uid::effective().is_root() {
            bail!("--user {name}: only root can become another user; leave it away, nothing would be given up");
        }
        Ok(Self { name: known.name, uid: known.uid, gid: known.gid })
    }

    /// Becomes that user: its primary group alone, then its number, as real, effective and saved ones.
    ///
    /// # Errors
    /// When the system does not let us, or would let us back.
    pub(super) fn become_for_good(self) -> Result<()> {
        let Self { name, uid, gid } = &self;
        // In this order: who is not root any more can change no group. They reach all threads of the process.
        #[cfg(not(target_vendor = "apple"))]
        unistd::setgroups(&[*gid]).with_context(|| format!("--user {name}: other groups cannot be left"))?;
        unistd::setgid(*gid).with_context(|| format!("--user {name}: its group cannot be taken"))?;
        unistd::setuid(*uid).with_context(|| format!("--user {name}: cannot be become"))?;
        if !self.is_final() {
            bail!("--user {name}: root's rights could be had back; nothing is sniffed");
        }
        Ok(())
    }

    /// Whether we are that user and can be nobody else: it is tried.
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
