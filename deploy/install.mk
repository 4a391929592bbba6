# `make install` and `make uninstall` with the variables of the GNU coding standards, `make deb`, `make abi`.
# Nothing is put below sysconfdir or localstatedir: there is no configuration, and nothing is kept.

prefix = /usr/local
exec_prefix = $(prefix)
bindir = $(exec_prefix)/bin
libdir = $(exec_prefix)/lib
includedir = $(prefix)/include
datarootdir = $(prefix)/share
datadir = $(datarootdir)
mandir = $(datarootdir)/man
docdir = $(datarootdir)/doc/p2pxfer
pkgconfigdir = $(libdir)/pkgconfig
cmakedir = $(libdir)/cmake/p2pxfer
unitdir = $(prefix)/lib/systemd/system
bashcompdir = $(datadir)/bash-completion/completions
zshcompdir = $(datadir)/zsh/site-functions
fishcompdir = $(datadir)/fish/vendor_completions.d

INSTALL = install
INSTALL_PROGRAM = $(INSTALL) -m 755
INSTALL_DATA = $(INSTALL) -m 644

ABI_BASELINE := deploy/libp2pxfer.abi

# in_place FILE TARGET: FILE with the paths of this installation, as TARGET. A path is below prefix
# where it can be, so that pkg-config --define-variable=prefix=... moves it.
below = $(patsubst $(prefix)/%,\$${prefix}/%,$1)
in_place = sed -e 's|@version@|$(VERSION)|' -e 's|@soname@|$(SONAME)|' -e 's|@prefix@|$(prefix)|' \
	-e 's|@libdir@|$(call below,$(libdir))|' -e 's|@includedir@|$(call below,$(includedir))|' \
	-e "s|@include_from_cmake@|$$(realpath -ms --relative-to='$(cmakedir)' '$(includedir)')|" \
	-e "s|@lib_from_cmake@|$$(realpath -ms --relative-to='$(cmakedir)' '$(libdir)')|" \
	-e 's|/usr/local/bin/|$(bindir)/|' $1 >$2 && chmod 644 $2

.PHONY: install uninstall deb abi abi-baseline

# Builds only when nothing was built: `make` as oneself, `sudo make install` without cargo.
install: $(if $(wildcard $(DIST)/lib/libp2pxfer.a),,build) ## install below prefix (/usr/local) and DESTDIR what `make` built
	@$(INSTALL) -d $(addprefix $(DESTDIR),$(bindir) $(libdir) $(includedir) $(mandir)/man1 $(mandir)/man3 \
		$(mandir)/man8 $(docdir) $(pkgconfigdir) $(cmakedir) $(unitdir) $(bashcompdir) $(zshcompdir) $(fishcompdir))
	@$(INSTALL_PROGRAM) $(addprefix $(DIST)/bin/,p2p-relay send_r recv_r) $(DESTDIR)$(bindir)/
	@$(INSTALL_DATA) $(DIST)/lib/libp2pxfer.so.$(VERSION) $(DIST)/lib/libp2pxfer.a $(DESTDIR)$(libdir)/
	@ln -sf libp2pxfer.so.$(VERSION) $(DESTDIR)$(libdir)/$(SONAME)
	@ln -sf $(SONAME) $(DESTDIR)$(libdir)/libp2pxfer.so
	@$(INSTALL_DATA) $(HEADER) $(DESTDIR)$(includedir)/
	@$(call in_place,deploy/p2pxfer.pc.in,$(DESTDIR)$(pkgconfigdir)/p2pxfer.pc)
	@for part in config config-version; do \
		$(call in_place,deploy/p2pxfer-$$part.cmake.in,$(DESTDIR)$(cmakedir)/p2pxfer-$$part.cmake); done
	@for section in 1 3 8; do $(INSTALL_DATA) doc/man/*.$$section $(DESTDIR)$(mandir)/man$$section/; done
	@for page in doc/man/*.3; do \
		for name in $$(sed -n '/^\.SH NAME/{n;s/ \\-.*//;s/,//g;p;q}' $$page); do \
			[ -e doc/man/$$name.3 ] || ln -sf $${page##*/} $(DESTDIR)$(mandir)/man3/$$name.3; done; done
	@for unit in service socket; do \
		$(call in_place,deploy/p2p-relay.$$unit,$(DESTDIR)$(unitdir)/p2p-relay.$$unit); done
	@$(INSTALL_DATA) deploy/completions/send_r.bash $(DESTDIR)$(bashcompdir)/send_r
	@ln -sf send_r $(DESTDIR)$(bashcompdir)/recv_r
	@$(INSTALL_DATA) deploy/completions/p2p-relay.bash $(DESTDIR)$(bashcompdir)/p2p-relay
	@$(INSTALL_DATA) deploy/completions/_* $(DESTDIR)$(zshcompdir)/
	@$(INSTALL_DATA) deploy/completions/*.fish $(DESTDIR)$(fishcompdir)/
	@$(INSTALL_DATA) README.md CHANGELOG.md LICENSE doc/json.md doc/operations.md doc/protocol.md $(DESTDIR)$(docdir)/

# An installation into an empty folder says what there is to remove, so the two never differ.
uninstall: ## remove what `make install` with the same variables has put there
	@stage=$$(mktemp -d); trap 'rm -rf "$$stage"' EXIT; \
	$(MAKE) --silent --no-print-directory install DESTDIR="$$stage"; \
	(cd "$$stage" && find . ! -type d -printf '%P\0') | (cd "$(DESTDIR)/" && xargs -0 rm -f); \
	rmdir --ignore-fail-on-non-empty $(wildcard $(addprefix $(DESTDIR),$(cmakedir) $(docdir)))

deb: $(if $(wildcard $(DIST)/lib/libp2pxfer.a),,build) ## make Debian packages, in target/deb
	@deploy/deb.sh $(TARGET)/deb

abi: build ## check the C library's interface: symbols, and types against the baseline
	@tests/c/abi.sh $(ABI_BASELINE)

abi-baseline: ## take the header as it is for the new baseline
	@tests/c/abi.sh --write $(ABI_BASELINE)
