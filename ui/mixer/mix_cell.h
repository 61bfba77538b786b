// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAbstractButton>

#include <optional>

namespace pha::ui {

/// One branch of one layer (or of all) as a button: a bar as long as the mixing weight, in the branch's colour; checked
/// means muted. The number says it too, so nothing rests on colour alone.
class MixCell : public QAbstractButton {
    Q_OBJECT

public:
    MixCell(QString branch, QString place, QWidget* parent);

    /// What was learned; it differs where one cell stands for several layers. Negative: not known.
    void setWeights(double low, double high, double mean, std::optional<double> changed);
    void setPartlyMuted(bool partly); ///< some of the layers that it stands for
    void setAbsent(bool absent); ///< the layer has no such branch
    QSize sizeHint() const override;

protected:
    void paintEvent(QPaintEvent* event) override;
    void enterEvent(QEnterEvent* event) override;
    void leaveEvent(QEvent* event) override;

private:
    QString text() const;
    void describe();

    QString branch_, place_;
    double low_ = -1, high_ = -1, mean_ = -1;
    std::optional<double> changed_;
    bool partly_ = false, absent_ = false;
};

/// What a person calls a branch: "GSS", "Attention", "FFN".
QString branchLabel(const QString& branch);

} // namespace pha::ui
