def scale(values, factor) {
    return values.map(value => value * factor);
}
