# In place of OpenWrt's build system: tells what a package's Makefile says, and installs its files.
#
# PKG_INSTALL_DIR  where the program is, in bin/, as if it had been built
# ROOT             where the files go
# FACTS            a directory: a file for each variable, with its value

fields := VERSION SECTION TITLE DEPENDS PROVIDES CONFLICTS USERID URL LICENSE LICENSE_FILES SOURCE_NAME MAINTAINER
texts := conffiles description

define BuildPackage
  $(eval $(call Package/$(1)))
  $(foreach hook,preinst postinst prerm postrm,$(if $(value Package/$(1)/$(hook)),$(error openwrt/pack does not know of $(hook))))
  VERSION := $(PKG_VERSION)-r$(PKG_RELEASE)
  LICENSE := $(PKG_LICENSE)
  LICENSE_FILES := $(PKG_LICENSE_FILES)
  MAINTAINER := $(PKG_MAINTAINER)
  SOURCE_NAME := $(PKG_NAME)

  package:
	$$(file >$(FACTS)/NAME,$(1))
	$$(foreach field,$(fields),$$(file >$(FACTS)/$$(field),$$($$(field))))
	$$(foreach text,$(texts),$$(file >$(FACTS)/$$(text),$$(Package/$(1)/$$(text))))
	$(call Package/$(1)/install,$(ROOT))
endef
