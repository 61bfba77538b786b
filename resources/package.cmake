# SPDX-License-Identifier: GPL-3.0-or-later
# What is installed beside the programs, and the Debian package: cpack -G DEB, or ./dev package.
set(appId io.github.pha_studio.PhaStudio)
if(PHA_GUI)
  install(FILES resources/${appId}.desktop DESTINATION ${CMAKE_INSTALL_DATADIR}/applications)
  install(FILES resources/${appId}.metainfo.xml DESTINATION ${CMAKE_INSTALL_DATADIR}/metainfo)
  install(FILES resources/${appId}.xml DESTINATION ${CMAKE_INSTALL_DATADIR}/mime/packages)
  install(FILES resources/${appId}.svg DESTINATION ${CMAKE_INSTALL_DATADIR}/icons/hicolor/scalable/apps)
endif()
install(DIRECTORY resources/recipes DESTINATION ${CMAKE_INSTALL_DATADIR}/pha-studio)
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/pha-studio)
install(FILES datasets/catalog.json DESTINATION ${CMAKE_INSTALL_DATADIR}/pha-studio)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/pha-studio RENAME copyright)

set(CPACK_PACKAGE_NAME pha-studio)
set(CPACK_PACKAGE_CONTACT "PHA Studio developers <developers@pha-studio.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "train, measure and run hybrid language models")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "Desktop program and command for language models whose layers mix gated state spaces,
 attention and feed-forward networks: training with live charts, evaluation, generation, on LibTorch.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${CMAKE_LIBRARY_OUTPUT_DIRECTORY})
# A LibTorch for processors that no package provides travels with the programs.
if(NOT TORCH_INSTALL_PREFIX MATCHES "^/(usr/?)?$" AND NOT TARGET torch_cuda)
  install(DIRECTORY ${TORCH_INSTALL_PREFIX}/lib/ DESTINATION ${PHA_LIBDIR} FILES_MATCHING PATTERN "*.so*")
  list(APPEND CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${TORCH_INSTALL_PREFIX}/lib)
endif()
# dpkg-shlibdeps finds every library but this one: any libblas.so.3 would do for the linker, only an optimised one for people.
set(CPACK_DEBIAN_PACKAGE_DEPENDS "libopenblas0-openmp | libopenblas0-pthread | libopenblas0-serial")
include(CPack)
