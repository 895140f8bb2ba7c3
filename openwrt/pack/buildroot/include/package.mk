# In place of OpenWrt's build system: tells what a package's Makefile says, and installs its files.
#
# PKG_INSTALL_DIR  where the program is, in bin/, as if it had been built
# ROOT             where the files go
# FACTS            a directory: a file for each variable, with its value
#
# `make packages` tells their names, `make NAME` does one of them.

fields := VERSION SECTION TITLE DEPENDS PROVIDES CONFLICTS USERID URL LICENSE LICENSE_FILES SOURCE_NAME MAINTAINER PKGARCH
texts := conffiles description postinst
packages :=

define newline


endef

define BuildPackage
  $(foreach field,$(fields),$(eval $(field) :=))
  $(eval $(call Package/$(1)))
  $(foreach hook,preinst prerm postrm,$(if $(value Package/$(1)/$(hook)),$(error openwrt/pack does not know of $(hook))))
  $(eval VERSION := $(PKG_VERSION)-r$(PKG_RELEASE))
  $(eval LICENSE := $(PKG_LICENSE))
  $(eval LICENSE_FILES := $(PKG_LICENSE_FILES))
  $(eval MAINTAINER := $(PKG_MAINTAINER))
  $(eval SOURCE_NAME := $(PKG_NAME))
  $(foreach field,$(fields),$(newline)  $(1): $(field) := $($(field)))
  packages += $(1)

  .PHONY: $(1)
  $(1):
	$$(file >$(FACTS)/NAME,$(1))
	$$(foreach field,$(fields),$$(file >$(FACTS)/$$(field),$$($$(field))))
	$$(foreach text,$(texts),$$(file >$(FACTS)/$$(text),$$(Package/$(1)/$$(text))))
	$(call Package/$(1)/install,$(ROOT))
endef

.PHONY: packages
packages:
	@echo $(packages)
