// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QIcon>
#include <QString>

namespace pha::ui {

/// A line icon in the theme's text colour: sharp at any scale, grey when disabled, follows light and dark by itself.
/// Names: play pause previous next stop save plus clone trash search chart gauge pen sliders copy close folder list
/// chevron-right chevron-down undo redo image moon sample
QIcon icon(const QString& name);
/// In the accent's text colour, for filled buttons.
QIcon iconOnAccent(const QString& name);
/// The program's own icon.
QIcon applicationIcon();

} // namespace pha::ui
