################################################################################
#
# picam
#
################################################################################

# Cargo.toml is the one place of picam's version.
PICAM_VERSION := $(shell sed -n '/^version = /{s/.*"\(.*\)"/\1/p;q;}' $(BR2_EXTERNAL_PICAM_PATH)/../Cargo.toml)
PICAM_SITE = $(call qstrip,$(BR2_PACKAGE_PICAM_SITE))
PICAM_SOURCE = picam-$(PICAM_VERSION)-aarch64.tar.xz
PICAM_LICENSE = MIT, LGPL-2.1+ (libcamera), BSD-2-Clause (libpisp, tuning files)
# The tarball holds an executable. libcamera is linked into it, so its source, which `make dist` puts beside the tarball,
# goes with the image: `make legal-info`. The patches are in the tarball.
PICAM_LIBCAMERA_VERSION := $(shell sed -n 's/^libcamera_version=//p' $(BR2_EXTERNAL_PICAM_PATH)/../cross/parts/sources.sh)
PICAM_ACTUAL_SOURCE_TARBALL = libcamera_$(PICAM_LIBCAMERA_VERSION).orig.tar.gz
# Buildroot finds out how to get the tarball by itself, but not for this one.
PICAM_ACTUAL_SOURCE_SITE = $(if $(filter file://%,$(PICAM_SITE)),file+)$(PICAM_SITE)
# Their hashes but that of LICENSE are recorded with the tarball's, by scripts/picam-hash.
PICAM_LICENSE_FILES = \
	share/doc/picam/LICENSE \
	share/doc/picam/licences/CRATES.txt \
	share/doc/picam/licences/libcamera/LGPL-2.1-or-later.txt \
	share/doc/picam/licences/libcamera/BSD-2-Clause.txt
# A static executable is installed, nothing is compiled.
PICAM_ADD_TOOLCHAIN_DEPENDENCY = NO
# The SBOM goes beside the images: Buildroot's own sees picam as one package.
PICAM_INSTALL_IMAGES = YES
# What is laid over the root file system, for this image and the Yocto one.
PICAM_OVERLAY = $(BR2_EXTERNAL_PICAM_PATH)/../rootfs-overlay

# picam looks for the tuning files in ../share, seen from its executable. The licences go with the executable that they
# are about: Buildroot leaves nothing in share/doc.
define PICAM_INSTALL_TARGET_CMDS
	$(INSTALL) -D -m 0755 $(@D)/bin/picam $(TARGET_DIR)/usr/bin/picam
	$(INSTALL) -D -m 0755 $(@D)/bin/picam-announce $(TARGET_DIR)/usr/bin/picam-announce
	mkdir -p $(TARGET_DIR)/usr/share
	cp -r $(@D)/share/. $(TARGET_DIR)/usr/share/
	mkdir -p $(TARGET_DIR)/usr/share/licences/picam
	cp -r $(@D)/share/doc/picam/. $(TARGET_DIR)/usr/share/licences/picam/
	$(INSTALL) -D -m 0644 $(PICAM_OVERLAY)/etc/picam/picam.toml \
		$(TARGET_DIR)/etc/picam/picam.toml
endef

define PICAM_INSTALL_IMAGES_CMDS
	$(INSTALL) -D -m 0644 $(@D)/share/doc/picam/picam.cdx.json \
		$(BINARIES_DIR)/picam.cdx.json
endef

define PICAM_INSTALL_INIT_SYSV
	$(INSTALL) -D -m 0755 $(PICAM_OVERLAY)/etc/init.d/S60picam \
		$(TARGET_DIR)/etc/init.d/S60picam
	$(INSTALL) -D -m 0755 $(PICAM_OVERLAY)/etc/init.d/S61announce \
		$(TARGET_DIR)/etc/init.d/S61announce
endef

define PICAM_INSTALL_INIT_SYSTEMD
	$(INSTALL) -D -m 0644 \
		$(PICAM_OVERLAY)/usr/lib/systemd/system/picam.service \
		$(TARGET_DIR)/usr/lib/systemd/system/picam.service
	$(INSTALL) -D -m 0644 \
		$(PICAM_OVERLAY)/usr/lib/systemd/system/picam-announce.service \
		$(TARGET_DIR)/usr/lib/systemd/system/picam-announce.service
endef

ifeq ($(BR2_PACKAGE_PICAM_HAWKBIT),y)
define PICAM_INSTALL_HAWKBIT
	$(INSTALL) -D -m 0755 $(PICAM_PKGDIR)/S85rauc-hawkbit-updater \
		$(TARGET_DIR)/etc/init.d/S85rauc-hawkbit-updater
endef
PICAM_POST_INSTALL_TARGET_HOOKS += PICAM_INSTALL_HAWKBIT
endif

# The group video owns the camera's device nodes and the DMA heaps.
define PICAM_USERS
	picam -1 picam -1 * - /bin/false video picam camera service
	picam-announce -1 picam-announce -1 * - /bin/false - the camera's name on the network
endef

$(eval $(generic-package))
