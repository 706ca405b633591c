//! What SIGHUP does.

use crate::config::Layers;
use crate::controls::TABLE;
use crate::http::Context;
use crate::system::descriptors::within_descriptors;
use log::{info, warn};

/// Loads the configuration again and takes over what can be while running. A configuration with an error
/// changes nothing.
pub(super) fn reload_config(context: &Context, layers: &Layers) {
    let new = match layers.load() {
        Ok(new) => new,
        Err(error) => {
            for line in error.to_string().lines() {
                warn!("not reloaded: {line}");
            }
            return;
        }
    };
    let old = context.config();
    let (config, changes) = old.take_live(&new);
    log::set_max_level(config.log.level);
    context.encoder.change(&config.jpeg);
    let limits = within_descriptors(config.limits.clone());
    context.guard.set_limits(limits);
    if config.camera.rate != old.camera.rate {
        context.remote.set_rate(config.camera.rate);
    }
    let before = context.saved.base();
    context.saved.configure(config.controls);
    let base = context.saved.base();
    if base != before {
        context.remote.replace(base); // the file wins over what was set and not saved
        context.saved.changed();
    }
    let hidden: Vec<&str> = TABLE
        .iter()
        .filter(|control| config.controls.get(control.id) != old.controls.get(control.id))
        .filter(|control| config.controls.get(control.id) != base.get(control.id))
        .map(|control| control.name)
        .collect();
    context.set_config(config);
    // All of it is in force when it is said.
    if !hidden.is_empty() {
        let hidden = hidden.join(", ");
        warn!("what was saved stays in force over the files (POST /reset forgets it): {hidden}");
    }
    let list = |keys: &[String]| match keys.is_empty() {
        true => "nothing".to_owned(),
        false => keys.join(", "),
    };
    info!("reloaded; changed: {}", list(&changes.applied));
    if !changes.needs_restart.is_empty() {
        warn!(
            "changed but in force only after a restart: {}",
            list(&changes.needs_restart)
        );
    }
}
