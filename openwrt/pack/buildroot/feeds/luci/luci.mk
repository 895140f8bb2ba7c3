# In place of LuCI's luci.mk: an app's files for browsers and for the router, and a package for each language that it is translated into.

LUCI_NAME := $(notdir $(CURDIR))
LUCI_BASENAME := $(patsubst luci-app-%,%,$(LUCI_NAME))
LUCI_LANGUAGES := $(filter-out templates,$(notdir $(wildcard $(CURDIR)/po/*)))
LUCI_LANG.de := Deutsch (German)

PKG_NAME := $(LUCI_NAME)

include $(INCLUDE_DIR)/package.mk

define Package/$(PKG_NAME)
  SECTION:=luci
  CATEGORY:=LuCI
  TITLE:=$(LUCI_TITLE)
  DEPENDS:=$(LUCI_DEPENDS)
  PKGARCH:=$(LUCI_PKGARCH)
endef

Package/$(PKG_NAME)/description = $(LUCI_DESCRIPTION)

# As the files are in the repository: nothing is minified.
define Package/$(PKG_NAME)/install
	$(INSTALL_DIR) $(1)/www
	cp -R $(CURDIR)/htdocs/. $(1)/www/
	cp -R $(CURDIR)/root/. $(1)/
	find $(1) -type d -exec chmod 755 {} +
	find $(1) -type f -exec chmod 644 {} +
endef

# Menu and modules are cached, and rpcd knows plugins and rights of its start.
define Package/$(PKG_NAME)/postinst
[ -n "$${IPKG_INSTROOT}" ] || {
	rm -f /tmp/luci-indexcache.*
	rm -rf /tmp/luci-modulecache/
	/etc/init.d/rpcd reload 2>/dev/null
	exit 0
}
endef

define LuciTranslation
  $(if $(LUCI_LANG.$(1)),,$(error openwrt/pack does not know how the language $(1) is called))
  define Package/luci-i18n-$(LUCI_BASENAME)-$(1)
    SECTION:=luci
    CATEGORY:=LuCI
    TITLE:=$(PKG_NAME) - $(1) translation
    DEPENDS:=$(PKG_NAME)
    PKGARCH:=all
  endef

  Package/luci-i18n-$(LUCI_BASENAME)-$(1)/description := Translation for $(PKG_NAME) - $(LUCI_LANG.$(1))

  # The language can be chosen once the script has run, which opkg and apk see to.
  define Package/luci-i18n-$(LUCI_BASENAME)-$(1)/install
	$$(INSTALL_DIR) $$(1)/etc/uci-defaults $$(1)/usr/lib/lua/luci/i18n
	echo "uci set luci.languages.$(1)='$(LUCI_LANG.$(1))'; uci commit luci" >$$(1)/etc/uci-defaults/luci-i18n-$(LUCI_BASENAME)-$(1)
	$(foreach po,$(wildcard $(CURDIR)/po/$(1)/*.po),python3 -B $(TOPDIR)/../lmo.py $(po) \
		$$(1)/usr/lib/lua/luci/i18n/$(basename $(notdir $(po))).$(1).lmo &&) true
  endef
endef

$(foreach language,$(LUCI_LANGUAGES),$(eval $(call LuciTranslation,$(language))))
$(foreach package,$(PKG_NAME) $(LUCI_LANGUAGES:%=luci-i18n-$(LUCI_BASENAME)-%),$(eval $(call BuildPackage,$(package))))
